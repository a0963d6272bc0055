"""From a project to an image: a pure plan, layers, and builders."""

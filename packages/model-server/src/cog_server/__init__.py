"""The HTTP server of one packaged model, and the worker process behind it.

`python -m cog_server` serves over HTTP; `cog_server.serving.serve` does so from Python; `cog_server.embedded` runs the
same model without HTTP. This module imports nothing, so that a worker can be started before anything slow is loaded.
"""

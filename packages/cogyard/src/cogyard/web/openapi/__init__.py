"""The API's own OpenAPI document: what it takes and answers, made from the routes and held to them by tests."""

"""The application: pages, static files, and the API mounted."""

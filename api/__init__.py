"""The door: settings, people, GraphQL over HTTP and WebSocket, and the command line."""

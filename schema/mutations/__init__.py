"""The mutations: each validates its input, calls sync, and answers with a payload."""

"""What runs in the peer's interpreter, which has nothing of this project."""

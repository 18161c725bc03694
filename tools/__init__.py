"""Small programs that check or draw what a program can check or draw."""

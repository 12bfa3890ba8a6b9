"""What tests share that is no fixture: real parts to test against, and Clockwork run as a user does."""

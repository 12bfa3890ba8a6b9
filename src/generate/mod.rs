//! Asks the model.

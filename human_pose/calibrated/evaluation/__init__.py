"""What a session's results are worth: errors, report and viewer."""

"""What a pipeline is worth: errors, a report, pictures."""

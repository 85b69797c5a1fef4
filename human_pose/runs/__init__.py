"""What any run leaves, resumes and shows; knows no model."""

"""What tests of workflows are made with."""

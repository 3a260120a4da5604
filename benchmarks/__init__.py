"""One question a file: each measures the runtime beside a limit taken in the same run, and prints one line of JSON."""

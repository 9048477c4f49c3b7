"""The worker as a real process against S3 and DynamoDB on this machine."""

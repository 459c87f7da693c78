"""The verbs of a game day on AWS: EKS, RDS, Route 53, S3 and Lambda, through boto3; nothing is changed unconfirmed."""

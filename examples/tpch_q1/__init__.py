"""TPC-H query 1 over lineitem in parts: a job that resumes behind the parts it has done."""

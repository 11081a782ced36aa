"""What the scoring server is measured against: each file here serves a booster's file by itself."""

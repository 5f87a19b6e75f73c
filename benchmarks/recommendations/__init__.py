"""Do the recommended numbers keep memory below the target, without a kill loop, and with few recycles?"""

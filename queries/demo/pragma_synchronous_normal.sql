-- Returns nothing; the demo's writes need not survive a power cut.
pragma synchronous = normal

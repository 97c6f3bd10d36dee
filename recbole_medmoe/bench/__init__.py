"""What finished runs show, side by side: terminal, Markdown, one stand-alone HTML page."""

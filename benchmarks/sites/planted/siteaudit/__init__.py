"""What a site's own team might have written: an application that keeps an audit of the site, and forgets nothing."""

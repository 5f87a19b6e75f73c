"""What the API's JSON looks like: the reference's attribute names beside memwatch's own."""

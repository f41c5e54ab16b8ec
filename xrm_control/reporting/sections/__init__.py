"""The report's sections: each a function from the run as read to what the page shows, without markup."""

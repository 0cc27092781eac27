"""Who is about to leave? A weekly churn model, from the customer database to a served endpoint."""

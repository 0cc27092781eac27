-- What each customer did in each complete week (`week` is its first day). Weeks without any activity have no row.
SELECT customer_id, week, sessions, minutes, tickets, paid_cents
FROM activity
WHERE date(week, '+7 days') <= :as_of
ORDER BY week, customer_id

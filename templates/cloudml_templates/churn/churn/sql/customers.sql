-- Everybody who had signed up by the date of the run.
SELECT customer_id, signup, region, segment, birth_year
FROM customers
WHERE signup < :as_of
ORDER BY customer_id

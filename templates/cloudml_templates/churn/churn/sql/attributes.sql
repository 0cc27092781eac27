-- Every contract with the day it began: features look up the one that held at their date.
SELECT customer_id, valid_from, plan, contract, payment, price_cents
FROM attributes
WHERE valid_from < :as_of
ORDER BY customer_id, valid_from

-- Purser's exports in DuckDB. The files are below the working directory, as these make them:
--
--   purser export focus --format parquet --out focus/
--   purser export usage --out usage/
--
-- docs/warehouse.md says what the columns are. The tables of the other files of this folder
-- have the same names, and the queries the same answers.

CREATE OR REPLACE VIEW focus AS
SELECT * FROM read_parquet('focus/*/*.parquet', hive_partitioning = true, union_by_name = true);

CREATE OR REPLACE VIEW usage AS
SELECT * FROM read_parquet('usage/*/*.parquet', hive_partitioning = true, union_by_name = true);

-- What customers pay: fill it from your billing.
CREATE TABLE IF NOT EXISTS revenue (customer VARCHAR, month DATE, amount DECIMAL(18, 9));

-- name: total
SELECT SUM(BilledCost) AS billed, SUM(EffectiveCost) AS effective, SUM(x_AvoidedCost) AS avoided, SUM(x_RequestCount) AS requests
FROM focus;

-- name: spend_by_customer_and_month
SELECT x_Customer AS customer, CAST(BillingPeriodStart AT TIME ZONE 'UTC' AS DATE) AS month, SUM(BilledCost) AS billed
FROM focus
GROUP BY ALL
ORDER BY month, billed DESC, customer;

-- name: unit_cost
-- Dollars for a million of what each meter counts, as it was billed.
SELECT x_Model AS model, SkuMeter AS meter, SUM(ConsumedQuantity) AS consumed, SUM(BilledCost) AS billed,
       SUM(BilledCost) * 1000000 / NULLIF(SUM(ConsumedQuantity), 0) AS dollars_for_a_million
FROM focus
WHERE ConsumedUnit = 'Tokens'
GROUP BY ALL
ORDER BY billed DESC, model, meter;

-- name: cache_savings
SELECT x_Feature AS feature, SUM(x_CacheHitCount) AS served_from_cache, SUM(x_RequestCount) AS requests, SUM(x_AvoidedCost) AS avoided, SUM(BilledCost) AS billed
FROM focus
GROUP BY ALL
ORDER BY avoided DESC, feature;

-- name: contract_savings
SELECT ServiceName AS service, SUM(ListCost) AS list, SUM(ContractedCost) AS contracted, SUM(ListCost) - SUM(ContractedCost) AS saved
FROM focus
GROUP BY ALL
ORDER BY saved DESC, service;

-- name: allocation
-- How much has an owner, by kind of owner.
SELECT owner, SUM(BilledCost) FILTER (WHERE value <> 'unallocated') AS allocated, SUM(BilledCost) FILTER (WHERE value = 'unallocated') AS unallocated
FROM focus
UNPIVOT (value FOR owner IN (x_Organization, x_Team, x_Project, x_Member, x_Customer, x_Feature))
GROUP BY ALL
ORDER BY owner;

-- name: corrections
SELECT x_RecordKind AS kind, ChargeClass AS class, CAST(BillingPeriodStart AT TIME ZONE 'UTC' AS DATE) AS month, SUM(BilledCost) AS billed
FROM focus
WHERE ChargeCategory = 'Adjustment'
GROUP BY ALL
ORDER BY month, kind, class;

-- name: daily_spend
SELECT CAST(ChargePeriodStart AT TIME ZONE 'UTC' AS DATE) AS day, SubAccountName AS team, SUM(BilledCost) AS billed
FROM focus
GROUP BY ALL
ORDER BY day, billed DESC, team;

-- name: records
SELECT COUNT(*) AS records, SUM(cost) AS cost
FROM usage;

-- name: top_runs
SELECT run, COUNT(DISTINCT request_id) AS requests, SUM(cost) AS cost, SUM(output_tokens) AS output_tokens
FROM usage
WHERE run IS NOT NULL
GROUP BY ALL
ORDER BY cost DESC, run
LIMIT 20;

-- name: latency
SELECT model, COUNT(*) AS calls, QUANTILE_CONT(first_byte_ns, 0.5) / 1e6 AS first_byte_p50_ms, QUANTILE_CONT(total_ns, 0.99) / 1e6 AS total_p99_ms
FROM usage
WHERE kind = 'request' AND outcome = 'completed'
GROUP BY ALL
ORDER BY calls DESC, model;

-- name: margin
-- Null where a half is missing, not zero.
SELECT COALESCE(c.customer, r.customer) AS customer, COALESCE(c.month, r.month) AS month, c.cost, r.amount AS revenue, r.amount - c.cost AS margin
FROM (SELECT x_Customer AS customer, CAST(BillingPeriodStart AT TIME ZONE 'UTC' AS DATE) AS month, SUM(BilledCost) AS cost FROM focus GROUP BY ALL) AS c
FULL JOIN (SELECT customer, month, SUM(amount) AS amount FROM revenue GROUP BY ALL) AS r ON r.customer = c.customer AND r.month = c.month
ORDER BY month, customer;

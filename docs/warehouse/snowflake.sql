-- Purser's exports in Snowflake. The stage purser_exports is where the files are. Names of
-- columns keep their case: they are quoted.

CREATE FILE FORMAT IF NOT EXISTS purser_parquet TYPE = PARQUET USE_LOGICAL_TYPE = TRUE;

CREATE TABLE IF NOT EXISTS focus USING TEMPLATE (
  SELECT ARRAY_AGG(OBJECT_CONSTRUCT(*)) FROM TABLE(INFER_SCHEMA(LOCATION => '@purser_exports/focus/', FILE_FORMAT => 'purser_parquet'))
);

COPY INTO focus FROM @purser_exports/focus/ FILE_FORMAT = (FORMAT_NAME = 'purser_parquet') MATCH_BY_COLUMN_NAME = CASE_SENSITIVE;

CREATE TABLE IF NOT EXISTS usage USING TEMPLATE (
  SELECT ARRAY_AGG(OBJECT_CONSTRUCT(*)) FROM TABLE(INFER_SCHEMA(LOCATION => '@purser_exports/usage/', FILE_FORMAT => 'purser_parquet'))
);

COPY INTO usage FROM @purser_exports/usage/ FILE_FORMAT = (FORMAT_NAME = 'purser_parquet') MATCH_BY_COLUMN_NAME = CASE_SENSITIVE;

-- What customers pay: fill it from your billing.
CREATE TABLE IF NOT EXISTS revenue (customer VARCHAR, month DATE, amount NUMBER(18, 9));

-- name: total
SELECT SUM("BilledCost") AS billed, SUM("EffectiveCost") AS effective, SUM("x_AvoidedCost") AS avoided, SUM("x_RequestCount") AS requests
FROM focus;

-- name: spend_by_customer_and_month
SELECT "x_Customer" AS customer, "BillingPeriodStart"::DATE AS month, SUM("BilledCost") AS billed
FROM focus
GROUP BY 1, 2
ORDER BY month, billed DESC, customer;

-- name: unit_cost
SELECT "x_Model" AS model, "SkuMeter" AS meter, SUM("ConsumedQuantity") AS consumed, SUM("BilledCost") AS billed,
       SUM("BilledCost") * 1000000 / NULLIF(SUM("ConsumedQuantity"), 0) AS dollars_for_a_million
FROM focus
WHERE "ConsumedUnit" = 'Tokens'
GROUP BY 1, 2
ORDER BY billed DESC, model, meter;

-- name: cache_savings
SELECT "x_Feature" AS feature, SUM("x_CacheHitCount") AS served_from_cache, SUM("x_RequestCount") AS requests, SUM("x_AvoidedCost") AS avoided, SUM("BilledCost") AS billed
FROM focus
GROUP BY 1
ORDER BY avoided DESC, feature;

-- name: contract_savings
SELECT "ServiceName" AS service, SUM("ListCost") AS list, SUM("ContractedCost") AS contracted, SUM("ListCost") - SUM("ContractedCost") AS saved
FROM focus
GROUP BY 1
ORDER BY saved DESC, service;

-- name: allocation
SELECT owner, SUM(IFF(value <> 'unallocated', "BilledCost", NULL)) AS allocated, SUM(IFF(value = 'unallocated', "BilledCost", NULL)) AS unallocated
FROM (SELECT "BilledCost", "x_Organization", "x_Team", "x_Project", "x_Member", "x_Customer", "x_Feature" FROM focus)
UNPIVOT (value FOR owner IN ("x_Organization", "x_Team", "x_Project", "x_Member", "x_Customer", "x_Feature"))
GROUP BY 1
ORDER BY owner;

-- name: corrections
SELECT "x_RecordKind" AS kind, "ChargeClass" AS class, "BillingPeriodStart"::DATE AS month, SUM("BilledCost") AS billed
FROM focus
WHERE "ChargeCategory" = 'Adjustment'
GROUP BY 1, 2, 3
ORDER BY month, kind, class;

-- name: daily_spend
SELECT "ChargePeriodStart"::DATE AS day, "SubAccountName" AS team, SUM("BilledCost") AS billed
FROM focus
GROUP BY 1, 2
ORDER BY day, billed DESC, team;

-- name: records
SELECT COUNT(*) AS records, SUM("cost") AS cost
FROM usage;

-- name: top_runs
SELECT "run" AS run, COUNT(DISTINCT "request_id") AS requests, SUM("cost") AS cost, SUM("output_tokens") AS output_tokens
FROM usage
WHERE "run" IS NOT NULL
GROUP BY 1
ORDER BY cost DESC, run
LIMIT 20;

-- name: latency
SELECT "model" AS model, COUNT(*) AS calls, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY "first_byte_ns") / 1e6 AS first_byte_p50_ms,
       PERCENTILE_CONT(0.99) WITHIN GROUP (ORDER BY "total_ns") / 1e6 AS total_p99_ms
FROM usage
WHERE "kind" = 'request' AND "outcome" = 'completed'
GROUP BY 1
ORDER BY calls DESC, model;

-- name: margin
SELECT COALESCE(c.customer, r.customer) AS customer, COALESCE(c.month, r.month) AS month, c.cost, r.amount AS revenue, r.amount - c.cost AS margin
FROM (SELECT "x_Customer" AS customer, "BillingPeriodStart"::DATE AS month, SUM("BilledCost") AS cost FROM focus GROUP BY 1, 2) AS c
FULL JOIN (SELECT customer, month, SUM(amount) AS amount FROM revenue GROUP BY 1, 2) AS r ON r.customer = c.customer AND r.month = c.month
ORDER BY month, customer;

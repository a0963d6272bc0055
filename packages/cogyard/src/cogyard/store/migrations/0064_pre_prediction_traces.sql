-- The trace that a prediction is part of, as it is handed on: `traceparent`, and after a space `tracestate` where there is one.
ALTER TABLE predictions ADD COLUMN trace TEXT;

-- Loads one page again and again; the last line that is printed is JSON with the same keys as saves.lua.

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"seconds": %.6f, "requests": %d, "saved": 0, "others": [{"refused": %d}], "p50_ms": %.3f, "p99_ms": %.3f, '
      .. '"max_ms": %.3f, "socket_errors": %d, "timeouts": %d}\n',
    summary.duration / 1e6, summary.requests, errors.status,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    errors.connect + errors.read + errors.write, errors.timeout))
end

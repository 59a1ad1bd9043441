-- The saves of bench/saves.py as wrk sends them: every request stands ready in a file, nothing is composed while wrk runs.
--
-- Arguments: FILE OFFSET DELAY_MS. The file has one request a line: path, ticket and body, with tabs between them.
-- Wrk begins at the line OFFSET (a share of the file, 0 to 1), so that a run does not repeat the saves of the run before
-- it within 2 s, and waits DELAY_MS between two requests of a connection.
--
-- A save counts where the server says 200 and "saved"; everything else is counted by its status. The last line that is
-- printed is JSON.

local requests = {}
local position = 0

-- Read from the main script after the run: they must be globals, and plain numbers or strings.
saved = 0
others = ""
local counts = {}
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  for line in io.lines(arguments[1]) do
    local path, ticket, body = line:match("^([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {
      ["Authorization"] = "Bearer " .. ticket,
      ["Content-Type"] = "application/json",
    }
    table.insert(requests, wrk.format("POST", path, headers, body))
  end
  position = math.floor(#requests * tonumber(arguments[2]))
  local delay_ms = tonumber(arguments[3])
  if delay_ms > 0 then
    function delay()
      return delay_ms
    end
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function response(status, headers, body)
  if status == 200 and body:find('"status":"saved"', 1, true) then
    saved = saved + 1
  else
    local what = status == 200 and "200 without saved" or tostring(status)
    counts[what] = (counts[what] or 0) + 1
    local parts = {}
    for name, count in pairs(counts) do
      table.insert(parts, string.format('"%s": %d', name, count))
    end
    others = table.concat(parts, ", ")
  end
end

function done(summary, latency, _)
  local total, rest = 0, {}
  for _, thread in ipairs(threads) do
    total = total + thread:get("saved")
    local text = thread:get("others")
    if text ~= "" then
      table.insert(rest, "{" .. text .. "}")
    end
  end
  local errors = summary.errors
  io.write(string.format(
    '{"seconds": %.6f, "requests": %d, "saved": %d, "others": [%s], "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, '
      .. '"socket_errors": %d, "timeouts": %d}\n',
    summary.duration / 1e6, summary.requests, total, table.concat(rest, ", "),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    errors.connect + errors.read + errors.write, errors.timeout))
end

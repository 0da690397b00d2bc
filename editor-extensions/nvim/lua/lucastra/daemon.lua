--- The daemon's process: why it cannot be reached, which it is, and how it is ended where it does not answer.
---
--- Invariant: no process is ended that does not say of itself that it is `lucastrad serve`.
local config = require("lucastra.config")

local M = {}

local POLL_MS = 50
--- A daemon that is asked to end by a signal closes its files within 5 s.
local TERM_MS = 8000
local PS_MS = 2000

--- Why the relay leaves at once: what it says when it is started by hand.
---@param callback fun(reason: string)
function M.ask_reason(callback)
  local settings = config.get()
  local done = vim.schedule_wrap(function(outcome)
    local said = vim.trim(outcome.stderr or ""):gsub("^lucastrad: ", "")
    callback(said ~= "" and said or ("`%s` left with status %d"):format(table.concat(settings.cmd, " "), outcome.code))
  end)
  local ok, problem = pcall(vim.system, settings.cmd, { stdin = "", env = settings.env, text = true }, done)
  if not ok then
    callback(tostring(problem))
  end
end

--- The folder of the daemon's store.
---@return string
function M.home()
  local set = config.get().env.LUCASTRA_HOME or vim.env.LUCASTRA_HOME
  return vim.fs.normalize(set and set ~= "" and set or "~/.lucastra")
end

--- The command line of a process, by words; empty for one that has ended.
---@param pid integer
---@return string[]
local function command_of(pid)
  local file = io.open(("/proc/%d/cmdline"):format(pid), "rb")
  if file then
    local words = vim.split(file:read("*a"), "\0", { plain = true })
    file:close()
    return words
  elseif vim.uv.os_uname().sysname == "Linux" then
    return {}
  end
  local done = vim.system({ "ps", "-o", "command=", "-p", tostring(pid) }, { text = true, timeout = PS_MS }):wait()
  return vim.split(vim.trim(done.stdout or ""), "%s+")
end

---@param pid integer
---@return boolean
local function is_daemon(pid)
  local words = command_of(pid)
  local named = vim.iter(words):any(function(word)
    return word == "lucastrad" or vim.endswith(word, "/lucastrad")
  end)
  return named and vim.list_contains(words, "serve")
end

--- The process that owns the store; nil where no daemon does.
---@return integer?
function M.process()
  local file = io.open(vim.fs.joinpath(M.home(), "lucastrad.lock"))
  if not file then
    return
  end
  local pid = tonumber(file:read("*l") or "")
  file:close()
  return pid and is_daemon(pid) and pid or nil
end

--- End a daemon: by SIGTERM, else, as a stopped one or one that hangs heeds none, by SIGKILL.
---@param pid integer
---@param done fun() Called once it does not own the store any more.
function M.finish(pid, done)
  local signals, waited = { "sigterm", "sigkill" }, TERM_MS
  local timer = assert(vim.uv.new_timer())
  local function look()
    if M.process() ~= pid or (waited >= TERM_MS and #signals == 0) then
      timer:stop()
      timer:close()
      done()
    elseif waited >= TERM_MS then
      vim.uv.kill(pid, table.remove(signals, 1))
      waited = 0
    else
      waited = waited + POLL_MS
    end
  end
  timer:start(0, POLL_MS, vim.schedule_wrap(function()
    if not timer:is_closing() then
      look()
    end
  end))
end

return M

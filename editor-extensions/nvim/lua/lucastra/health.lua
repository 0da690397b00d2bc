--- `:checkhealth lucastra`.
local client = require("lucastra.client")
local config = require("lucastra.config")
local ghost = require("lucastra.ghost")
local picker = require("lucastra.picker")
local protocol = require("lucastra.protocol")

local M = {}

local VERSION_MS = 10000
local STATUS_MS = 5000

local health = vim.health

local function check_editor()
  health.start("Neovim")
  if vim.fn.has("nvim-0.11") == 1 then
    health.ok("version " .. tostring(vim.version()))
  else
    health.error("Neovim is too old", { "install Neovim 0.11 or newer" })
  end
  local problems = config.problems()
  for _, problem in ipairs(problems) do
    health.error(problem)
  end
  if #problems == 0 then
    health.ok("the settings are valid")
  end
  health.info("hits are shown by " .. picker.chosen())
  health.info(("completions are drawn by %s"):format(ghost.engine() == "native" and "Neovim" or "the plugin"))
end

---@return boolean
local function check_server()
  health.start("lucastrad")
  local command = config.get().cmd[1]
  if not client.is_installed() then
    health.error(client.missing_message())
    return false
  end
  local ok, outcome = pcall(function()
    return vim.system({ command, "--version" }, { text = true, timeout = VERSION_MS }):wait()
  end)
  if not ok or outcome.code ~= 0 then
    local said = ok and vim.trim(outcome.stderr or "") or tostring(outcome)
    health.error(("`%s --version` failed: %s"):format(command, said), {
      "reinstall it: `pipx install --force .` in a clone of LucAstra",
    })
    return false
  end
  health.ok(("%s (%s)"):format(vim.trim(outcome.stdout), vim.fn.exepath(command)))
  return true
end

local function check_daemon()
  health.start("The daemon")
  local done, problem, status = false, nil, nil
  local handle = client.request(protocol.methods.status, nil, function(failure, result)
    done, problem, status = true, failure, result
  end)
  if not vim.wait(STATUS_MS, function()
    return done
  end) then
    handle.cancel()
    health.error(("no answer within %d s"):format(STATUS_MS / 1000), { "see `:Lucastra log`" })
  elseif problem then
    health.error(problem.message)
  else
    health.ok(("version %s, process %d, home %s"):format(status.daemonVersion, status.pid, status.home))
    for _, text in ipairs(status.problems or {}) do
      health.warn(text)
    end
    health.info("answers come from " .. (status.provider or "no provider: questions get passages only"))
    health.info(("%d workspaces are indexed; `:Lucastra doctor` checks them"):format(#(status.workspaces or {})))
  end
end

function M.check()
  check_editor()
  if check_server() then
    check_daemon()
  end
end

return M

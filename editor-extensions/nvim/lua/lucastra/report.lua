--- `:Lucastra status` and `:Lucastra doctor`: what the daemon says of itself, in a window that `q` closes.
local client = require("lucastra.client")
local daemon = require("lucastra.daemon")
local message = require("lucastra.message")
local protocol = require("lucastra.protocol")

local M = {}

local UNITS = { "B", "KiB", "MiB", "GiB" }
local MARKS = { ok = "✓", warning = "!", error = "✗" }

---@param bytes number
---@return string
local function size(bytes)
  local unit = 1
  while bytes >= 1024 and unit < #UNITS do
    bytes, unit = bytes / 1024, unit + 1
  end
  return (unit == 1 and "%d %s" or "%.1f %s"):format(bytes, UNITS[unit])
end

---@param seconds number
---@return string
local function duration(seconds)
  if seconds < 60 then
    return ("%d s"):format(seconds)
  elseif seconds < 3600 then
    return ("%d min"):format(seconds / 60)
  end
  return ("%d h %d min"):format(seconds / 3600, seconds % 3600 / 60)
end

---@param one lucastra.WorkspaceStatus
---@return string[]
local function workspace_lines(one)
  local line = ("- %s: %s, %s, %d files, %d passages"):format(one.root, one.state, one.freshness, one.files, one.chunks)
  local lines = { one.embedded < one.chunks and ("%s, %d embedded"):format(line, one.embedded) or line }
  for _, text in ipairs(vim.list_extend(vim.list_extend({}, one.problems or {}), one.notices or {})) do
    lines[#lines + 1] = "  - " .. text
  end
  return lines
end

---@param status lucastra.StatusResult
---@return string[]
function M.status_lines(status)
  local model = status.embeddings
  local lines = {
    "# LucAstra " .. status.daemonVersion,
    "",
    ("- daemon: process %d, up %s, %s, %d clients"):format(
      status.pid,
      duration(status.uptimeSeconds),
      size(status.memoryBytes),
      status.clients
    ),
    "- home: " .. status.home,
    ("- embeddings: %s/%s, %d dimensions"):format(model.provider, model.model, model.dimensions),
    "- answers: " .. (status.provider or "no provider is configured, so questions get passages only"),
    "",
    "## Workspaces",
    "",
  }
  for _, one in ipairs(status.workspaces or {}) do
    local filled = vim.tbl_extend("keep", one, { files = 0, chunks = 0, embedded = 0 })
    vim.list_extend(lines, workspace_lines(filled))
  end
  if #(status.workspaces or {}) == 0 then
    lines[#lines + 1] = "none yet: open a file of a project, or `:Lucastra index FOLDER`"
  end
  if #(status.problems or {}) > 0 then
    vim.list_extend(lines, { "", "## Problems", "" })
    for _, problem in ipairs(status.problems) do
      lines[#lines + 1] = "- " .. problem
    end
  end
  return lines
end

---@param checks lucastra.Check[]
---@return string[]
function M.doctor_lines(checks)
  local lines = { "# LucAstra doctor", "" }
  for _, check in ipairs(checks) do
    lines[#lines + 1] = ("- %s %s: %s"):format(MARKS[check.status], check.name, check.detail)
    if (check.cure or "") ~= "" then
      lines[#lines + 1] = "  - cure: " .. check.cure
    end
  end
  return lines
end

---@param lines string[]
---@param title string
local function float(lines, title)
  local split = vim.split(table.concat(lines, "\n"), "\n", { plain = true })
  local widest = 40
  for _, line in ipairs(split) do
    widest = math.max(widest, vim.fn.strdisplaywidth(line) + 2)
  end
  local width, height = math.min(widest, vim.o.columns - 4), math.min(#split, vim.o.lines - 6)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, split)
  vim.bo[bufnr].modifiable, vim.bo[bufnr].bufhidden = false, "wipe"
  if not pcall(vim.treesitter.start, bufnr, "markdown") then
    vim.bo[bufnr].syntax = "markdown"
  end
  local window = vim.api.nvim_open_win(bufnr, true, {
    relative = "editor",
    width = width,
    height = height,
    row = math.floor((vim.o.lines - height) / 2) - 1,
    col = math.floor((vim.o.columns - width) / 2),
    border = "rounded",
    title = " " .. title .. " ",
  })
  vim.wo[window].wrap, vim.wo[window].linebreak = true, true
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = bufnr, desc = "Close" })
end

---@param method string
---@param title string
---@param lines_of fun(result: any): string[]
local function show(method, title, lines_of)
  client.request(method, nil, function(problem, result)
    if problem then
      message.error(problem)
    else
      float(lines_of(result), title)
    end
  end)
end

function M.status()
  show(protocol.methods.status, "status", M.status_lines)
end

function M.doctor()
  message.info("checking …")
  show(protocol.methods.doctor, "doctor", function(result)
    return M.doctor_lines(result.checks or {})
  end)
end

--- Open the daemon's log.
function M.log()
  local function open(home)
    local log = vim.fs.joinpath(home, "logs", "lucastrad.log")
    if vim.fn.filereadable(log) == 0 then
      message.warn("there is no log yet at " .. log)
      return
    end
    vim.cmd("botright split " .. vim.fn.fnameescape(log))
    vim.bo.readonly, vim.bo.modifiable, vim.bo.autoread = true, false, true
    vim.cmd("normal! G")
  end
  client.request(protocol.methods.status, nil, function(problem, result)
    -- The log is wanted most when no daemon answers: then it is where the environment says.
    open(problem and daemon.home() or result.home)
  end)
end

return M

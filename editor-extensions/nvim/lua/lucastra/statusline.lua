--- What a statusline shows of LucAstra: the connection, and what is under way.
local client = require("lucastra.client")

local M = {}

local PHASES = {
  stopped = "off",
  missing = "not installed",
  incompatible = "update needed",
  starting = "starting",
  reconnecting = "reconnecting",
}

local under_way = {} ---@type table<string|integer, { title: string, percentage?: integer }>

--- Take news of work from `LspProgress`.
---@param client_id integer
---@param params lsp.ProgressParams
function M.on_progress(client_id, params)
  local current = client.current()
  if not current or current.id ~= client_id or type(params.value) ~= "table" then
    return
  end
  local value = params.value
  if value.kind == "end" then
    under_way[params.token] = nil
  else
    under_way[params.token] = { title = value.title or "working", percentage = value.percentage }
  end
  vim.api.nvim_exec_autocmds("User", { pattern = "LucastraStatus", modeline = false })
end

--- Forget what was under way when the connection ended.
function M.on_phase()
  if client.phase() ~= "ready" then
    under_way = {}
  end
end

--- A short text, such as `LucAstra`, `LucAstra: reconnecting` or `LucAstra: Indexing shop 42%`.
---@return string
function M.text()
  local phase = PHASES[client.phase()]
  if phase then
    return "LucAstra: " .. phase
  end
  local chat = require("lucastra.chat").current()
  if chat and chat.running then
    return "LucAstra: answering"
  end
  local _, work = next(under_way)
  if work then
    local share = work.percentage and (" %d%%"):format(work.percentage) or ""
    return ("LucAstra: %s%s"):format(work.title, share)
  end
  return "LucAstra"
end

return M

--- Tells the daemon what became of a completion: numbers that it keeps for its user, and no text.
local client = require("lucastra.client")
local protocol = require("lucastra.protocol")

local M = {}

local last_shown ---@type string?

--- What the daemon knows an item by; nil where it did not say.
---@param command? lsp.Command
---@return string?
function M.id_of(command)
  local argument = ((command or {}).arguments or {})[1]
  return type(argument) == "table" and argument.id or nil
end

--- Drawing goes on with every key; the daemon is told once.
---@param id? string
function M.shown(id)
  if id and id ~= last_shown then
    last_shown = id
    client.notify(protocol.client_notifications.completion_did_show, { id = id })
  end
end

---@param id? string
---@param partial boolean Only its beginning was taken.
function M.accepted(id, partial)
  if id then
    client.notify(protocol.client_notifications.completion_accepted, { id = id, partial = partial or nil })
  end
end

return M

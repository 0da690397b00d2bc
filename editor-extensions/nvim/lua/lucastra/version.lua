--- Whether the daemon and this plugin speak the same version of the contract.
local protocol = require("lucastra.protocol")

local M = {}

--- The plugin's own version.
M.PLUGIN = "1.1.0"

M.UPDATE_SERVER = "pipx install --force ."

--- What the plugin says of itself in `lucastra/hello`.
---@return lucastra.HelloParams
function M.hello()
  return { clientName = "LucAstra for Neovim", clientVersion = M.PLUGIN, protocolVersion = protocol.version }
end

--- Why the plugin cannot speak with this daemon, and the cure; nil where it can.
---@param daemon lucastra.HelloResult
---@return string?
function M.mismatch(daemon)
  if daemon.protocolVersion == protocol.version then
    return
  end
  local versions = ("lucastrad is version %s, the plugin version %s"):format(daemon.daemonVersion, M.PLUGIN)
  if daemon.protocolVersion > protocol.version then
    return versions .. ", which is too old for it; update the plugin, and restart Neovim"
  end
  local cure = ("run `%s` in an up-to-date clone of LucAstra, then `:Lucastra restart`"):format(M.UPDATE_SERVER)
  return ("%s, for which the server is too old; %s"):format(versions, cure)
end

return M

--- What the plugin tells its user, always under its name.
local M = {}

---@param text string
---@param level integer One of `vim.log.levels`.
local function tell(text, level)
  vim.schedule(function()
    vim.notify("LucAstra: " .. text, level, { title = "LucAstra" })
  end)
end

---@param text string
function M.info(text)
  tell(text, vim.log.levels.INFO)
end

---@param text string
function M.warn(text)
  tell(text, vim.log.levels.WARN)
end

--- The daemon's own sentences name the cure, so they are shown as they are.
---@param problem string|{ message: string }
function M.error(problem)
  tell(type(problem) == "table" and problem.message or tostring(problem), vim.log.levels.ERROR)
end

return M

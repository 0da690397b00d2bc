--- LucAstra for Neovim: search, cited answers and completions by the local daemon. See |lucastra|.
local M = {}

--- Set settings from Lua; `vim.g.lucastra` does the same without a call. Calling it is optional.
---@param settings? table See |lucastra-settings|.
function M.setup(settings)
  require("lucastra.config").setup(settings)
end

--- Find passages in the current project.
---@param query string
---@param options? lucastra.SearchOptions
function M.search(query, options)
  require("lucastra.search").search(query, options)
end

--- Find passages like the code at a line of the current file.
---@param line? integer 1-based; default: that of the cursor.
---@param options? lucastra.SearchOptions
function M.related(line, options)
  require("lucastra.search").related(line, options)
end

--- Ask a question about the current project, in a conversation of its own.
---@param question string
function M.ask(question)
  require("lucastra.chat").ask(question)
end

--- Show the chat.
function M.chat()
  require("lucastra.chat").open()
end

--- A text for a statusline; `User LucastraStatus` tells when it changes.
---@return string
function M.statusline()
  return require("lucastra.statusline").text()
end

--- Write the completion that is offered; whether one was. Fit for `expr` mappings.
---@return boolean
function M.accept()
  return require("lucastra.ghost").accept()
end

--- Write the next word of the completion that is offered; whether one was.
---@return boolean
function M.accept_word()
  return require("lucastra.ghost").accept_word()
end

return M

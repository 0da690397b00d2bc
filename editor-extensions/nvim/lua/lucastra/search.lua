--- Searching, and finding what is like the code at the cursor.
local client = require("lucastra.client")
local config = require("lucastra.config")
local message = require("lucastra.message")
local picker = require("lucastra.picker")
local place = require("lucastra.place")
local protocol = require("lucastra.protocol")

local M = {}

local running ---@type lucastra.Handle?

local STALE = {
  stale = "some changes are not indexed yet",
  pending = "some passages have no embedding yet and are found by keyword only",
}

---@class lucastra.SearchOptions
---@field mode? "hybrid"|"keyword"|"vector"
---@field limit? integer
---@field languages? string[]
---@field paths? string[] Patterns in gitignore syntax; `!` excludes.
---@field everywhere? boolean Search every project that the daemon knows, not only that of the current file.
---@field quickfix? boolean Fill the quickfix list in place of asking.
---@field on_places? fun(places: lucastra.Place[]) Called in place of showing them.

---@param title string
---@param options lucastra.SearchOptions
---@return lucastra.Callback
local function show(title, options)
  return function(problem, result)
    running = nil
    if problem then
      message.error(problem)
      return
    end
    local places = vim.tbl_map(place.from_wire, result.hits or {})
    local notes = vim.list_extend({ STALE[result.freshness] }, result.notices or {})
    if #places == 0 then
      table.insert(notes, 1, ("nothing was found for %s"):format(title))
    end
    if #notes > 0 then
      message.info(table.concat(notes, "; "))
    end
    if options.on_places then
      options.on_places(places)
    elseif #places == 0 then
      return
    elseif options.quickfix then
      place.to_quickfix(places, "LucAstra: " .. title)
    else
      picker.pick(places, "LucAstra: " .. title)
    end
  end
end

--- The project that a command is about.
---@param options lucastra.SearchOptions
---@return string?
local function scope(options)
  return not options.everywhere and client.root(vim.api.nvim_get_current_buf()) or nil
end

--- Lists that are empty are left out: Lua cannot tell them from empty objects.
---@param params table
---@param options lucastra.SearchOptions
---@param root? string
local function narrowed(params, options, root)
  params.workspaces = root and { root } or nil
  params.languages = next(options.languages or {}) and options.languages or nil
  params.paths = next(options.paths or {}) and options.paths or nil
  params.limit = options.limit or config.get().search.limit
  return params
end

---@param method string
---@param params table
---@param title string
---@param options lucastra.SearchOptions
local function ask(method, params, title, options)
  if running then
    running.cancel() -- whoever asks again no longer wants the earlier answer
  end
  local root = scope(options)
  local narrow = narrowed(params, options, root)
  running = client.request_of_project(method, narrow, show(title, options), { root = root })
end

--- Find passages by meaning, by keyword or both.
---@param query string
---@param options? lucastra.SearchOptions
function M.search(query, options)
  options = options or {}
  local params = { query = query, mode = options.mode or config.get().search.mode }
  ask(protocol.methods.search, params, ("“%s”"):format(query), options)
end

--- Find passages like the one at a line of the current buffer's file.
---@param line? integer 1-based; default: that of the cursor.
---@param options? lucastra.SearchOptions
function M.related(line, options)
  local path = vim.api.nvim_buf_get_name(0)
  if path == "" or vim.bo.buftype ~= "" then
    message.warn("only a file has related passages; go to one first")
    return
  end
  line = line or vim.api.nvim_win_get_cursor(0)[1]
  local title = ("what is like %s:%d"):format(vim.fs.basename(path), line)
  ask(protocol.methods.related, { path = path, line = line - 1 }, title, options or {})
end

return M

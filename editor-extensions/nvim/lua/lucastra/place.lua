--- Places in files: where hits, passages and sources stand, and how they are opened.
local M = {}

local flashed = vim.api.nvim_create_namespace("lucastra.place")
local FLASH_MS = 600

---@class lucastra.Place
---@field file string Absolute path.
---@field path string As it is shown: relative to its project, with forward slashes.
---@field first integer 1-based line.
---@field last integer 1-based line, inclusive.
---@field symbol string
---@field text string The passage, where it is known.
---@field score? number
---@field unsaved boolean Whether it stands in a buffer that is not saved, and maybe not in the file.

--- From a hit of a search, or from a source of an answer.
---@param found lucastra.Hit|lucastra.Source
---@return lucastra.Place
function M.from_wire(found)
  local first, stop = found.range.start.line + 1, found.range["end"]
  -- An LSP range ends before its end, so at column 0 its last line is the one above.
  local last = stop.character == 0 and stop.line or stop.line + 1
  return {
    file = vim.uri_to_fname(found.uri),
    path = found.path,
    first = first,
    last = math.max(first, last),
    symbol = found.symbol or "",
    text = found.content or "",
    score = found.score,
    unsaved = found.unsaved == true,
  }
end

--- `path:first-last symbol`, as people read it.
---@param place lucastra.Place
---@return string
function M.label(place)
  local lines = place.first == place.last and tostring(place.first) or ("%d-%d"):format(place.first, place.last)
  local symbol = place.symbol ~= "" and " " .. place.symbol or ""
  return ("%s:%s%s%s"):format(place.path, lines, symbol, place.unsaved and " (unsaved)" or "")
end

--- The first line of the passage that says something.
---@param place lucastra.Place
---@return string
function M.summary(place)
  return vim.trim(place.text:match("[^\n]*%S[^\n]*") or "")
end

--- A window of this tab page that shows a file, or a new one: a chat must not be replaced by what it cites.
---@return integer
local function window_for_files()
  local function shows_file(window)
    return vim.bo[vim.api.nvim_win_get_buf(window)].buftype == "" and vim.api.nvim_win_get_config(window).relative == ""
  end
  if shows_file(0) then
    return vim.api.nvim_get_current_win()
  end
  local windows = vim.api.nvim_tabpage_list_wins(0)
  table.insert(windows, 1, vim.fn.win_getid(vim.fn.winnr("#")))
  for _, window in ipairs(windows) do
    if window ~= 0 and shows_file(window) then
      return window
    end
  end
  vim.cmd("topleft vsplit")
  return vim.api.nvim_get_current_win()
end

--- Open a place in a window for files, and show which lines are meant.
---@param place lucastra.Place
function M.open(place)
  if vim.fn.filereadable(place.file) == 0 and vim.fn.bufloaded(place.file) == 0 then
    require("lucastra.message").warn(place.path .. " is not there any more")
    return
  end
  vim.api.nvim_set_current_win(window_for_files())
  vim.cmd("normal! m'")
  local bufnr = vim.fn.bufadd(place.file)
  vim.bo[bufnr].buflisted = true
  vim.api.nvim_win_set_buf(0, bufnr)
  local count = vim.api.nvim_buf_line_count(bufnr)
  local first, last = math.min(place.first, count), math.min(place.last, count)
  vim.api.nvim_win_set_cursor(0, { first, 0 })
  vim.cmd("normal! ^zvzz")
  vim.hl.range(bufnr, flashed, "IncSearch", { first - 1, 0 }, { last - 1, vim.v.maxcol }, { timeout = FLASH_MS })
end

---@param places lucastra.Place[]
---@param title string
function M.to_quickfix(places, title)
  local items = vim.tbl_map(function(place)
    local symbol = place.symbol ~= "" and place.symbol .. ": " or ""
    local text = symbol .. M.summary(place)
    return { filename = place.file, lnum = place.first, end_lnum = place.last, col = 1, text = text }
  end, places)
  vim.fn.setqflist({}, " ", { title = title, items = items })
  vim.cmd("botright copen")
end

return M

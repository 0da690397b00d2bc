--- What of an offered completion is still to be written. Pure text: no editor, no clock.
local M = {}

--- What follows `typed` in an offer, or nil where something else was typed.
---@param offered string
---@param typed string
---@return string?
function M.remaining(offered, typed)
  if offered:sub(1, #typed) == typed then
    return offered:sub(#typed + 1)
  end
end

--- Up to the end of the first word, with the blanks and line ends before it. A run of other characters is a word too.
---@param text string Not empty.
---@return string
function M.first_word(text)
  local blanks = text:match("^%s*")
  local rest = text:sub(#blanks + 1)
  -- Bytes from 128 on are parts of characters beyond ASCII, which must not be torn apart.
  local word = rest:match("^[%w_\128-\255]+") or rest:match("^[^%w%s_\128-\255]+") or ""
  return blanks .. word
end

--- The position after `text`, which begins at a position. Columns are bytes.
---@param row integer
---@param column integer
---@param text string
---@return integer row
---@return integer column
function M.position_after(row, column, text)
  local _, breaks = text:gsub("\n", "")
  if breaks == 0 then
    return row, column + #text
  end
  return row + breaks, #text:match("[^\n]*$")
end

--- How a text is drawn: what stands on the cursor's line, and the lines below it.
---@param text string
---@param tab_width integer Virtual text shows a tab as `^I`.
---@return string
---@return string[]
function M.drawn(text, tab_width)
  local lines = vim.split(text:gsub("\t", (" "):rep(tab_width)), "\n", { plain = true })
  return table.remove(lines, 1), lines
end

return M

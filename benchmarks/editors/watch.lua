-- Runs in Neovim: when the next key or command comes, and when what it asks for is shown.
--
-- `_G.watched.shown` holds milliseconds by name: `ghost` once ghost text that contains `text` is drawn, `list` once the
-- quickfix window has its lines, `passages` and `token` once they stand in the chat.
local watched = { shown = {} }
_G.watched = watched

local api = vim.api
local ghosts = api.nvim_create_namespace("lucastra.ghost")

local function now()
  return vim.uv.hrtime() / 1e6
end

local function note(name)
  if watched.began and not watched.shown[name] then
    watched.shown[name] = now() - watched.began
  end
end

--- Watch for ghost text with `text` in it after the next key.
function watched.key(text)
  watched.shown, watched.began, watched.text, watched.armed = {}, nil, text, true
end

--- Run an Ex command and watch for what it shows.
function watched.run(command)
  watched.shown, watched.began, watched.armed = {}, now(), false
  vim.cmd(command)
end

--- Watch the chat that the current buffer is.
function watched.chat()
  api.nvim_buf_attach(0, false, {
    on_lines = function(_, bufnr)
      local answering = false
      for _, line in ipairs(api.nvim_buf_get_lines(bufnr, 0, -1, false)) do
        if vim.startswith(line, "## ") then
          answering = line == "## LucAstra"
        elseif answering and vim.startswith(line, "- [") then
          note("passages")
        elseif answering and line ~= "" and not vim.startswith(line, "> ") and not vim.startswith(line, "*llm/") then
          note("token")
        end
      end
    end,
  })
end

vim.on_key(function()
  if watched.armed then
    watched.began, watched.armed = now(), false
  end
end)

local set_extmark = api.nvim_buf_set_extmark
api.nvim_buf_set_extmark = function(bufnr, space, row, column, options)
  local id = set_extmark(bufnr, space, row, column, options)
  if space == ghosts and options.virt_text[1][1]:find(watched.text or "", 1, true) then
    note("ghost")
  end
  return id
end

api.nvim_create_autocmd("FileType", {
  pattern = "qf",
  callback = function()
    note("list")
  end,
})

-- Commands, mappings and events. Everything else is loaded when it is first used.
if vim.g.loaded_lucastra then
  return
end
vim.g.loaded_lucastra = true

if vim.fn.has("nvim-0.11") == 0 then
  vim.notify("LucAstra needs Neovim 0.11 or newer", vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command("Lucastra", function(given)
  require("lucastra.command").run(given)
end, {
  nargs = "*",
  bang = true,
  range = true,
  desc = "Search, ask and look after LucAstra",
  complete = function(...)
    return require("lucastra.command").complete(...)
  end,
})

local function plug(mode, name, callback, desc)
  vim.keymap.set(mode, ("<Plug>(lucastra-%s)"):format(name), callback, { desc = "LucAstra: " .. desc })
end

local function run(command)
  return ("<Cmd>Lucastra %s<CR>"):format(command)
end

plug("n", "search", run("search"), "search")
plug("x", "search", ":Lucastra search<CR>", "search for the selected lines")
plug("n", "related", run("related"), "find code like that at the cursor")
plug("n", "ask", run("ask"), "ask a question")
plug("x", "ask", ":Lucastra ask<CR>", "ask about the selected lines")
plug("n", "chat", run("chat"), "open the chat")
plug("x", "chat", ":Lucastra chat<CR>", "put the selected lines into the chat")
plug("n", "status", run("status"), "show the daemon's state")
for _, action in ipairs({ "accept", "accept_word", "next", "dismiss" }) do
  plug("i", action:gsub("_", "-"), function()
    require("lucastra.ghost")[action]()
  end, ("%s the completion"):format(action:gsub("_", " ")))
end

local function set_highlights()
  local hint = vim.fn.hlexists("ComplHint") == 1 and "ComplHint" or "NonText" -- ComplHint: from 0.12 on
  vim.api.nvim_set_hl(0, "LucastraGhost", { link = hint, default = true })
  vim.api.nvim_set_hl(0, "LucastraCitation", { link = "@markup.link", default = true })
end
set_highlights()

local group = vim.api.nvim_create_augroup("lucastra", { clear = true })
vim.api.nvim_create_autocmd("ColorScheme", { group = group, callback = set_highlights })
vim.api.nvim_create_autocmd("LspAttach", {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == "lucastra" then
      require("lucastra.ghost").attach(event.buf)
    end
  end,
})
vim.api.nvim_create_autocmd("LspProgress", {
  group = group,
  callback = function(event)
    require("lucastra.statusline").on_progress(event.data.client_id, event.data.params)
  end,
})
vim.api.nvim_create_autocmd("User", {
  group = group,
  pattern = "LucastraStatus",
  callback = function()
    require("lucastra.statusline").on_phase()
    vim.cmd.redrawstatus()
  end,
})

local given = vim.g.lucastra
if type(given) == "function" then
  given = given()
end
if not (type(given) == "table" and given.enabled == false) then
  vim.lsp.enable("lucastra")
end

-- What a user of Neovim's own LSP client does, without a plugin of ours. Every step waits for the one before.
local project, seconds = vim.env.PROJECT, 30000

local function wait(condition, what)
  assert(vim.wait(seconds, condition, 20), what)
end

vim.o.swapfile = false
vim.cmd.edit(project .. "/src/config.py")
local buffer = vim.api.nvim_get_current_buf()
local left = false
local id = assert(vim.lsp.start({
  name = "lucastra",
  cmd = vim.lsp.rpc.connect(vim.env.SOCKET),
  root_dir = project,
  on_exit = function() left = true end,
}))
local client = vim.lsp.get_client_by_id(id)
wait(function() return client.initialized end, "no session")

vim.lsp.buf.workspace_symbol("load")
wait(function() return #vim.fn.getqflist() > 0 end, "no symbol")
vim.cmd.cclose()

local choice
vim.ui.select = function(items, _, choose) choose(items[choice]) end
for number = 1, 2 do
  choice = number
  vim.api.nvim_set_current_buf(buffer)
  vim.api.nvim_win_set_cursor(0, { 5, 0 })
  vim.lsp.buf.code_action()
  wait(function() return vim.api.nvim_get_current_buf() ~= buffer end, "nothing was opened")
end

vim.api.nvim_set_current_buf(buffer)
vim.api.nvim_buf_set_lines(buffer, -1, -1, true, { "", "", "def save_config(path: Path) -> None:", "    pass" })
vim.cmd.write()
client:stop()
wait(function() return left end, "the session did not end")
vim.cmd("qa!")

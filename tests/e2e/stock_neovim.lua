-- What a user of Neovim's own LSP client does: no plugin of ours is loaded. Tells each step on standard output.
local project, seconds = vim.env.PROJECT, 30000

local function tell(...)
  io.stdout:write(table.concat({ ... }, "\t") .. "\n")
end

vim.o.swapfile = false
vim.cmd.edit(project .. "/shop/retry.py")
local id = assert(vim.lsp.start({ name = "lucastra", cmd = { vim.env.PYTHON, "-P", "-m", "lucastrad", "--stdio" }, root_dir = project }))
local client = vim.lsp.get_client_by_id(id)
local buffer = vim.api.nvim_get_current_buf()
assert(vim.wait(seconds, function() return client.initialized end, 20))
assert(client:request_sync("lucastra/index", { path = project }, seconds, buffer).result)
for _, symbol in ipairs(client:request_sync("workspace/symbol", { query = "total" }, seconds, buffer).result) do
  tell("symbol", symbol.containerName .. "." .. symbol.name)
end

vim.ui.select = function(items, _, choose)
  for _, item in ipairs(items) do
    tell("offered", item.action.title)
  end
  choose(items[CHOICE])
end
for choice = 1, 2 do
  CHOICE = choice
  vim.api.nvim_set_current_buf(buffer)
  vim.api.nvim_win_set_cursor(0, { 5, 0 })
  vim.lsp.buf.code_action()
  assert(vim.wait(seconds, function() return vim.api.nvim_get_current_buf() ~= buffer end, 20), "nothing was opened")
  tell("opened", vim.fn.getline(1))
  assert(vim.fn.search(project) > 0)
  vim.cmd("normal! gF")
  tell("went to", vim.api.nvim_buf_get_name(0):sub(#project + 2) .. ":" .. vim.fn.line("."))
end
vim.cmd("qa!")

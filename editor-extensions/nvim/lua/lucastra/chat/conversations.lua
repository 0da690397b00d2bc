--- The conversations that the daemon keeps: choosing, renaming, deleting and exporting them.
local chat = require("lucastra.chat")
local client = require("lucastra.client")
local message = require("lucastra.message")
local protocol = require("lucastra.protocol")

local M = {}

local methods = protocol.methods

--- Call `fn` with the conversation that the user chooses.
---@param prompt string
---@param fn fun(conversation: lucastra.Conversation)
local function choose(prompt, fn)
  client.request(methods.conversation_list, { limit = 200 }, function(problem, result)
    if problem then
      message.error(problem)
      return
    end
    local conversations = result.conversations or {}
    if #conversations == 0 then
      message.info("there are no conversations yet; `:Lucastra ask` begins one")
      return
    end
    local function format_item(one)
      local turns = one.turns or 0
      local when = os.date("%Y-%m-%d %H:%M", math.floor(one.updatedAt))
      return ("%s  %s (%d %s)"):format(when, one.title, turns, turns == 1 and "turn" or "turns")
    end
    local options = { prompt = prompt, kind = "lucastra.conversation", format_item = format_item }
    vim.ui.select(conversations, options, function(chosen)
      if chosen then
        fn(chosen)
      end
    end)
  end)
end

--- Run `fn` on the result of a request, or tell what is wrong.
---@param fn fun(result: any)
---@return lucastra.Callback
local function told(fn)
  return function(problem, result)
    if problem then
      message.error(problem)
    else
      fn(result)
    end
  end
end

--- Open one in the chat.
function M.open()
  choose("Open which conversation?", function(chosen)
    chat.show(chosen.id)
  end)
end

function M.rename()
  choose("Rename which conversation?", function(chosen)
    vim.ui.input({ prompt = "New title: ", default = chosen.title }, function(title)
      if title and title ~= "" then
        local params = { conversation = chosen.id, title = title }
        client.request(methods.conversation_rename, params, told(function()
          message.info(("“%s” is “%s” now"):format(chosen.title, title))
        end))
      end
    end)
  end)
end

function M.delete()
  choose("Delete which conversation?", function(chosen)
    if vim.fn.confirm(("Delete “%s” for good?"):format(chosen.title), "&Delete\n&Keep", 2) ~= 1 then
      return
    end
    client.request(methods.conversation_delete, { conversation = chosen.id }, told(function()
      local current = chat.current()
      if current and current.conversation == chosen.id then
        chat.new()
      end
      message.info(("“%s” is deleted"):format(chosen.title))
    end))
  end)
end

--- Show one as Markdown in a new buffer, to be saved wherever the user likes.
function M.export()
  choose("Export which conversation?", function(chosen)
    client.request(methods.conversation_export, { conversation = chosen.id }, told(function(result)
      vim.cmd("tabnew")
      vim.bo.filetype = "markdown"
      vim.api.nvim_buf_set_lines(0, 0, -1, true, vim.split(result.text, "\n", { plain = true }))
    end))
  end)
end

return M

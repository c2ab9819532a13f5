-- An editor that stays open: reports when the server is attached and has published diagnostics.
local get = vim.lsp.get_clients or vim.lsp.get_active_clients
vim.fn.timer_start(50, function(timer)
  if #get() > 0 and #vim.diagnostic.get(0) > 0 then
    vim.fn.timer_stop(timer)
    vim.fn.writefile({}, vim.env.SESSION_PASSED)
  end
end, { ['repeat'] = -1 })

"""The web pages: server-rendered, complete without JavaScript, and refreshing themselves with it."""

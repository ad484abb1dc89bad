/* For browsers that don't understand the rest of the page: they get words instead of a form that does nothing. Plain old script on purpose. */
addEventListener("load", function () {
  if (document.documentElement.hasAttribute("data-ready")) return;
  var problem = document.getElementById("door-problem");
  problem.textContent = "The page didn't start. Load it anew; if that doesn't help, this browser is too old for it, or something keeps parts of it away.";
  problem.hidden = false;
});

# Care
